"""Apache Kafka without Docker: brokers out of Maven's jars, for tests and benchmarks."""
