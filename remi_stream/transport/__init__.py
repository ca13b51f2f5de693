"""Links between processes over ZeroMQ, with credit-based flow control."""
