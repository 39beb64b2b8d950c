"""ir.passes"""
