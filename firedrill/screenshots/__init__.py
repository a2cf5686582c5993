"""Drives a real Chromium over its own DevTools protocol: for pictures of the console, and for its tests."""
