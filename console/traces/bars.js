// A trace's waterfall. Spans fold with their children; a click on a bar shows what the span says.
export default {
  props: { waterfall: Object },
  data() {
    return { folded: {}, open: "" };
  },
  computed: {
    visible() {
      const shown = [];
      let hiddenBelow = Infinity;
      for (const bar of this.waterfall.bars) {
        if (bar.depth > hiddenBelow) continue;
        hiddenBelow = this.folded[bar.id] ? bar.depth : Infinity;
        shown.push(bar);
      }
      return shown;
    },
  },
  methods: {
    fold(bar) {
      this.folded = { ...this.folded, [bar.id]: !this.folded[bar.id] };
    },
    show(bar) {
      this.open = this.open === bar.id ? "" : bar.id;
    },
    labelSide(bar) {
      // The duration stands where there is room: right of the bar, left of it, or inside one that leaves none.
      if (bar.left + bar.width <= 82) return "after";
      return bar.left >= 18 ? "before" : "in";
    },
    labelPlace(bar) {
      const end = bar.left + bar.width;
      return { after: { left: end + "%" }, before: { right: 100 - bar.left + "%" }, in: { right: 100 - end + "%" } }[this.labelSide(bar)];
    },
  },
  template: `
    <div class="wf">
      <div class="wf-row wf-axis" aria-hidden="true">
        <div class="wf-name"></div>
        <div class="wf-track">
          <span v-for="(tick, index) in waterfall.ticks" class="wf-tick" :class="{ 'wf-last': index === waterfall.ticks.length - 1 }"
            :style="{ left: tick[0] + '%' }">{{ tick[1] }}</span>
        </div>
      </div>
      <template v-for="bar in visible" :key="bar.id">
        <div class="wf-row" :class="{ 'wf-error': bar.error, 'wf-open': open === bar.id }" :data-span="bar.id">
          <div class="wf-name" :style="{ '--depth': Math.min(bar.depth, 12) }">
            <button v-if="bar.children" type="button" class="wf-fold" @click="fold(bar)" :aria-expanded="String(!folded[bar.id])"
              :aria-label="(folded[bar.id] ? 'Show' : 'Hide') + ' the ' + bar.children + ' spans below'">{{ folded[bar.id] ? "▸" : "▾" }}</button>
            <span v-else class="wf-fold"></span>
            <button type="button" class="wf-label" @click="show(bar)" :aria-expanded="String(open === bar.id)" :title="bar.service + ': ' + bar.name">
              <span class="wf-dot" :class="'wf-c' + bar.colour"></span><span v-if="bar.error" class="wf-mark" title="error">✗ </span><span class="wf-service">{{ bar.service }}</span> <span>{{ bar.name }}</span>
            </button>
          </div>
          <div class="wf-track" @click="show(bar)">
            <div class="wf-bar" :class="['wf-c' + bar.colour, { 'wf-bad': bar.error }]" :style="{ left: bar.left + '%', width: bar.width + '%' }"></div>
            <span class="wf-time" :class="'wf-' + labelSide(bar)"
              :style="labelPlace(bar)">{{ bar.lasts }}</span>
          </div>
        </div>
        <div v-if="open === bar.id" class="wf-detail">
          <p v-if="bar.message" class="wf-message">✗ {{ bar.message }}</p>
          <p class="fd-quiet">{{ bar.service }}<template v-if="bar.kind"> · {{ bar.kind }}</template> · begins after {{ bar.starts }} · lasts {{ bar.lasts }}<template v-if="bar.children">, {{ bar.alone }} without the spans below</template></p>
          <table class="fd-table wf-attributes"><tbody>
            <tr v-for="pair in bar.attributes"><th scope="row">{{ pair[0] }}</th><td>{{ pair[1] }}</td></tr>
            <tr><th scope="row">span id</th><td>{{ bar.id }}</td></tr>
          </tbody></table>
        </div>
      </template>
      <p v-if="waterfall.left_out" class="fd-note">{{ waterfall.left_out }} more spans are not drawn.</p>
    </div>
  `,
};
