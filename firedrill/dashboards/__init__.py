"""Dashboards as code: the theme, the slices' limits, the compiler, and the checks that need no stack.

The panels of a service stand in its slice (`services/<slice>/dashboard.py`); those of the platform here. Only
`make generate` and the tests build them: the theme needs a package that a running stack does not have.
"""
