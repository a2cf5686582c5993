"""The onboarding sandbox: guided incidents that really happen, are answered, mended and scored."""
