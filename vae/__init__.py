"""A variational autoencoder of memories. It sees a matrix of floats and knows neither music nor regions."""
