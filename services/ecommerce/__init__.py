"""The shop: catalogue, users, carts, orders and payments; every payment asks fds first."""
