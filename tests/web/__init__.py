"""The pages and endpoints, with the real application behind them."""
