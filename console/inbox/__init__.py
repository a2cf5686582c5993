"""Notifications as a person would see them: a Slack message, a page, an e-mail, as plain values."""
