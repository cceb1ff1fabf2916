#define _GNU_SOURCE
#include "CMeshShims.h"
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int mesh_accept(int listener, void *address, uint32_t *length) {
  return accept4(listener, (struct sockaddr *)address, (socklen_t *)length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void mesh_name_thread(const char *name) {
  char short_name[16] = {0};
  strncpy(short_name, name, sizeof short_name - 1);
  pthread_setname_np(pthread_self(), short_name);
}

void mesh_idle_thread(void) {
  const struct sched_param none = {0};
  sched_setscheduler(0, SCHED_IDLE, &none);
}

long mesh_recv(int descriptor, void *buffer, long count) {
  return syscall(SYS_recvfrom, descriptor, buffer, (size_t)count, 0, (void *)0, (void *)0);
}

long mesh_send(int descriptor, const void *buffer, long count) {
  return syscall(SYS_sendto, descriptor, buffer, (size_t)count, MSG_NOSIGNAL, (void *)0, 0);
}
void mesh_trim_heap(void) { malloc_trim(0); }
