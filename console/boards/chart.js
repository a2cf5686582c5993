// Draws ECharts options that come as one text. Functions are not in it: numbers with units, and what a click
// does, stand here. What was drawn is kept on the element, where tests read it.
import { echarts } from "nicegui-echart";

export default {
  template: "<div></div>",
  props: { options: String, label: String },
  mounted() {
    this.chart = echarts.init(this.$el, null, { renderer: "canvas" });
    this.$el.fdChart = this.chart;
    this.chart.on("click", fdOpenTrace);
    this.observer = new ResizeObserver(() => this.chart.resize());
    this.observer.observe(this.$el);
    this.draw();
  },
  beforeUnmount() {
    this.observer.disconnect();
    this.chart.dispose();
  },
  watch: {
    options() {
      this.draw();
    },
  },
  methods: {
    draw() {
      const options = JSON.parse(this.options);
      const { unit, decimals } = options.fd;
      const number = (value) => fdNumber(value, unit, decimals);
      delete options.fd;
      options.tooltip.valueFormatter = number;
      if (options.yAxis) options.yAxis.axisLabel.formatter = number;
      // Series that are gone go; what the legend hides stays hidden.
      this.chart.setOption(options, { replaceMerge: ["series"] });
    },
  },
};
