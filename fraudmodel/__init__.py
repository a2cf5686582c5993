"""The fraud model as data, with what evaluates it; the model server and fds use the same."""
