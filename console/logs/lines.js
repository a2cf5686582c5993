// Log lines. Times are in the viewer's zone; a click on a line shows its fields.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

export default {
  props: { rows: Array, brief: Boolean },
  data() {
    return { open: {} };
  },
  methods: {
    time(row) {
      const at = new Date(row.at * 1000);
      return clock.format(at) + "." + String(at.getMilliseconds()).padStart(3, "0");
    },
    full(row) {
      return day.format(new Date(row.at * 1000));
    },
    toggle(row) {
      this.open = { ...this.open, [row.key]: !this.open[row.key] };
    },
    link(field) {
      if (field[0] === "trace_id" && /^[0-9a-f]{16,32}$/.test(field[1])) return "/traces/" + field[1];
      return "";
    },
    only(row, field) {
      const around = "&until=" + Math.ceil(row.at + 60) + "&since=15m";
      const matcher = "{service=" + JSON.stringify(row.service) + "} | json | " + field[0] + "=" + JSON.stringify(field[1]);
      return "/logs?query=" + encodeURIComponent(matcher) + around;
    },
    shown(row) {
      return row.fields.filter((field) => !this.brief || !["trace_id", "system", "component", "log_type"].includes(field[0])).slice(0, 6);
    },
    canSearch(field) {
      return /^[a-z_][a-z0-9_]*$/i.test(field[0]) && field[1].length < 200;
    },
  },
  template: `
    <div class="ll" :class="{ 'll-brief': brief }" role="list">
      <div v-for="row in rows" :key="row.key" class="ll-line" :class="['ll-' + row.level.toLowerCase(), { 'll-fresh': row.fresh, 'll-open': open[row.key] }]" role="listitem">
        <button type="button" class="ll-head" @click="toggle(row)" :aria-expanded="String(!!open[row.key])">
          <span class="ll-time" :title="full(row)">{{ time(row) }}</span>
          <span class="ll-level">{{ row.level }}</span>
          <span class="ll-service">{{ row.service }}</span>
          <span class="ll-message">{{ row.message }}<template v-if="!open[row.key]"><span v-for="field in shown(row)" class="ll-pair">{{ " " }}<span class="ll-key">{{ field[0] }}=</span>{{ field[1].slice(0, 120) }}</span></template></span>
        </button>
        <table v-if="open[row.key]" class="fd-table ll-fields"><tbody>
          <tr><th scope="row">time</th><td>{{ full(row) }}</td></tr>
          <tr v-for="field in row.fields"><th scope="row">{{ field[0] }}</th><td>
            <a v-if="link(field)" :href="link(field)">{{ field[1] }}</a><template v-else>{{ field[1] }}</template>
            <a v-if="!brief && canSearch(field)" class="ll-only" :href="only(row, field)" :title="'Lines of ' + row.service + ' with this ' + field[0]">only these</a>
          </td></tr>
        </tbody></table>
      </div>
    </div>
  `,
};
