"""Networks from other tools: a graph, rewritten into a tree and cut into modules."""

from wootzc.ir.graph.graph import INPUT, Arrays, Chain, Graph, Node, OpenSize, Piece, Refused

__all__ = ["INPUT", "Arrays", "Chain", "Graph", "Node", "OpenSize", "Piece", "Refused"]
