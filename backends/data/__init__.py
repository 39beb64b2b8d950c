"""wootzc.backends.data"""
