"""Log lines as a page shows them: the search, the rows and the live tail, as plain values."""
