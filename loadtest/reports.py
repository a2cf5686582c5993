"""The files that a load run leaves behind: Locust's tables as CSV, its HTML report, and a line a second."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

from locust.env import Environment
from locust.html import get_html_report
from locust.stats import PERCENTILES_TO_REPORT, CSVWriter, StatsCSV


class History:
    """history.csv in `folder`: the counts since the start, a row a second."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "history.csv"
        self._begun = False

    def add(self, values: Mapping[str, object]) -> None:
        """Append a row; the first one brings the header."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not self._begun:
                writer.writerow(values)
                self._begun = True
            writer.writerow(values.values())


def write_reports(environment: Environment, folder: Path) -> None:
    """Write requests.csv, failures.csv and report.html into `folder`."""
    tables = StatsCSV(environment, PERCENTILES_TO_REPORT)
    writers: Mapping[str, Callable[[CSVWriter], None]] = {
        "requests.csv": tables.requests_csv,
        "failures.csv": tables.failures_csv,
    }
    for name, write in writers.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            write(csv.writer(file))
    page = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]  # Locust's
    (folder / "report.html").write_text(page, encoding="utf-8")
