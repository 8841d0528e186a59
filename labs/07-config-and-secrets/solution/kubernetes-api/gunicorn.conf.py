# One process with threads: the threads that follow the two objects are in it.
control_socket_disable = True
chdir = "/program"
bind = "0.0.0.0:8080"
worker_class = "gthread"
workers = 1
threads = 8
worker_tmp_dir = "/dev/shm"
