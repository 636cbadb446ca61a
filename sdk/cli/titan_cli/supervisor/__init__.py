"""The local mesh's processes: started in order, watched, restarted, stopped. Must never trade."""
