"""Which model, and which layer, predicts my neurons, and what do my neurons make explicit?"""
