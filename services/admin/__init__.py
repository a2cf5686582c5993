"""The back office of ShopFDS: reviewers decide held payments, and fds learns what they were."""
