/* stubborn PIDFILE - a command that its own user cannot kill, as little as one that hangs in the kernel (D
 * state): as a set-user-ID program it becomes somebody else altogether. Who started it has nothing left to
 * end it by. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        uid_t other = geteuid();
        FILE *f;

        if (argc != 2 || setresuid(other, other, other) == -1)
                return 2;
        f = fopen(argv[1], "w");
        if (f == NULL)
                return 2;
        fprintf(f, "%d\n", (int)getpid());
        fclose(f);
        for (;;)
                pause();
}
