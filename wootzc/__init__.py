"""wootzc"""
