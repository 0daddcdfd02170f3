"""The market story: a shop with everything the market spec sells, and an order for every way to be answered."""

from services.demo.market.play import play

__all__ = ["play"]
