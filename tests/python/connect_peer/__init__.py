"""An independent implementation of the wire, from connect.proto, decisions.md and relay.md alone."""
