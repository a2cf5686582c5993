"""The model server of ShopFDS: scores payments by their features and watches how the features drift."""
