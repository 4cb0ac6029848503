"""The headers that the recorder writes into messages, with names that no application uses for its own."""

SENT_AT = "monitor_sent_at"
FIRST_SENT_AT = "monitor_first_sent_at"
RECEIVED_AT = "monitor_received_at"
