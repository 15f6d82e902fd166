"""How Crosswatch is started: the embedded stack, Apache Kafka, containers and the command line."""
