/* The process that holds a pod's namespaces while its containers come and go.
 *
 * In a pod with one process namespace for all, it is the first process there. To ignore SIGCHLD tells the kernel
 * to bury orphans itself. */

#include <signal.h>
#include <unistd.h>

int main(void) {
    signal(SIGCHLD, SIG_IGN);
    /* A first process has no default for a signal: without a handler these two would do nothing. */
    signal(SIGTERM, _exit);
    signal(SIGINT, _exit);
    for (;;) pause();
}
