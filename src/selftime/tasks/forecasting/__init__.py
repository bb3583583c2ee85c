"""Forecasting in closed form: protocols, linear maps, features of what is left."""
