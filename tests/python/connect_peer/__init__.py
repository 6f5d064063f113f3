"""An independent implementation of the wire, from connect.proto, decisions.md and relay.md, and docs/decisions.md beside them."""
