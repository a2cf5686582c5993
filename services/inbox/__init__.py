"""The local inbox: takes what Alertmanager sends as Slack messages and webhooks, keeps and shows it."""
