"""What /metrics of the running services says, parsed family by family as somebody asks for it."""

import re
from collections.abc import Callable, Mapping

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

Labels = Mapping[str, str]

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
_FAMILY = re.compile(r"^# HELP (\S+) ", re.M)


class Scrapes:
    """The services' metrics as they are now: each service is asked once until `renew`."""

    def __init__(self, http: httpx.Client, url_of: Callable[[str], str]) -> None:
        self._http, self._url_of = http, url_of
        self._texts: dict[str, Mapping[str, str]] = {}
        self._parsed: dict[tuple[str, str], list[Sample]] = {}

    def renew(self) -> None:
        """Forget what was read."""
        self._texts.clear()
        self._parsed.clear()

    def samples(self, service: str, name: str) -> list[Sample]:
        """All samples of the metric that is queried as `name`; none when it is not there."""
        if (service, name) not in self._parsed:
            if service not in self._texts:
                self._texts[service] = self._read(service)
            block = self._texts[service].get(name.removesuffix("_total"), "")
            families = text_string_to_metric_families(f"{block}# EOF\n")
            self._parsed[service, name] = [sample for family in families for sample in family.samples]
        return self._parsed[service, name]

    def _read(self, service: str) -> Mapping[str, str]:
        answer = self._http.get(f"{self._url_of(service)}/metrics", headers={"Accept": OPEN_METRICS})
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        text = answer.text.removesuffix("# EOF\n")
        found = list(_FAMILY.finditer(text))
        ends = [*(one.start() for one in found[1:]), len(text)]
        return {one.group(1): text[one.start() : end] for one, end in zip(found, ends, strict=True)}


def chosen(samples: list[Sample], only: Labels) -> list[Sample]:
    """The samples with labels `only`."""
    return [one for one in samples if only.items() <= one.labels.items()]


def measure(samples: list[Sample], only: Labels) -> tuple[float, ...]:
    """What changes when the metric moves: counts, sums and values of the series with labels `only`."""
    return tuple(
        one.value
        for one in sorted(chosen(samples, only), key=lambda one: (one.name, sorted(one.labels.items())))
        if not one.name.endswith(("_bucket", "_created"))
    )
