def clustering(result):
    return {}
