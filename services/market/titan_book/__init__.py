"""The L2 order book by integer tick, compiled: the one implementation of the mesh.

Owns depth, update-id rules and book health. Must never know orders, accounts or sockets.
"""

from titan_book.order_book import (
    BookCode,
    BookSide,
    BookState,
    DepthWalk,
    OrderBook,
    SequenceRule,
)

__all__ = ["BookCode", "BookSide", "BookState", "DepthWalk", "OrderBook", "SequenceRule"]
