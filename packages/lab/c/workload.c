// SPDX-License-Identifier: Apache-2.0
/*
 * Asks the kernel for ordinary things and says what came of them: `workload PART FOLDER`. What a part prints is the same in every run on one kernel
 * with the same modules. It is for a guest: linked statically, without threads of the C library. A call that the kernel does not have is an answer, too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/if_alg.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *doing = "";

static void die(const char *what)
{
	printf("%s: %s: %s\n", doing, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

#define MUST(call)                               \
	({                                       \
		__typeof__(call) said = (call);  \
		if ((long)said == -1)            \
			die(#call);              \
		said;                            \
	})

static uint32_t sum(uint32_t from, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	while (length--)
		from = (from ^ *at++) * 16777619u;
	return from;
}

static void fill(void *bytes, size_t length, uint32_t seed)
{
	unsigned char *at = bytes;

	while (length--) {
		seed = seed * 1103515245u + 12345u;
		*at++ = seed >> 16;
	}
}

static void await(pid_t child)
{
	int status;

	MUST(waitpid(child, &status, 0));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		printf("%s: a child ended with %x\n", doing, status);
		_exit(1);
	}
}

/* Files of a folder: works on every file system that can be written to. */
static void files(void)
{
	static unsigned char block[65536], back[65536];
	uint32_t all = 0;
	struct stat st;
	int names = 0;

	for (int i = 0; i < 24; i++) {
		char name[32];
		snprintf(name, sizeof(name), "file-%d", i);
		int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0640));
		size_t length = 1 + (size_t)i * 2711;
		fill(block, length, i);
		if (MUST(pwrite(fd, block, length, i * 100)) != (ssize_t)length)
			die("short write");
		MUST(fsync(fd));
		if (i % 3 == 0)
			(void)!fallocate(fd, 0, 0, 100000);
		MUST(ftruncate(fd, length / 2 + i * 100));
		memset(back, 0, sizeof(back));
		ssize_t got = MUST(pread(fd, back, sizeof(back), 0));
		all = sum(all, back, got);
		MUST(fstat(fd, &st));
		all = sum(all, &st.st_size, sizeof(st.st_size));
		MUST(flock(fd, LOCK_EX));
		close(fd);
	}
	MUST(mkdir("folder", 0755));
	MUST(rename("file-1", "folder/moved"));
	if (link("file-2", "folder/linked") == 0)
		MUST(unlink("folder/linked"));
	if (symlink("file-3", "symlink") == 0) {
		char to[64];
		ssize_t length = MUST(readlink("symlink", to, sizeof(to)));
		all = sum(all, to, length);
		MUST(unlink("symlink"));
	}
	(void)!truncate("file-4", 5);
	MUST(stat("file-4", &st));
	all = sum(all, &st.st_size, sizeof(st.st_size));
	/* A mapping of a file and the file are one. */
	int fd = MUST(open("file-20", O_RDWR));
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		memcpy(map + 100, "through the mapping", 19);
		MUST(msync(map, 4096, MS_SYNC));
		MUST(munmap(map, 4096));
		MUST(pread(fd, back, 19, 100));
		all = sum(all, back, 19);
	}
	int copy = MUST(open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600));
	off_t from = 0;
	all = sum(all, &(ssize_t){ sendfile(copy, fd, &from, 3000) }, sizeof(ssize_t));
	close(copy);
	close(fd);
	DIR *dir = opendir(".");
	if (dir == NULL)
		die("opendir");
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		names += strcmp(entry->d_name, "lost+found") != 0;
	closedir(dir);
	for (int i = 0; i < 24; i++) {
		char name[32];
		snprintf(name, sizeof(name), i == 1 ? "folder/moved" : "file-%d", i);
		MUST(unlink(name));
	}
	MUST(unlink("copy"));
	MUST(rmdir("folder"));
	printf("files %d names, %08x\n", names, all);
}

/* Of a file system that cannot be written to: everything in it. */
static uint32_t tree_sum(const char *path, int depth)
{
	static char buffer[65536];
	uint32_t all = sum(0, path, strlen(path));
	struct dirent **names;
	int count = depth > 8 ? -1 : scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char name[4096];
		struct stat st;
		const char *own = names[i]->d_name;
		if (strcmp(own, ".") == 0 || strcmp(own, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, own);
		all = sum(all, own, strlen(own));
		if (lstat(name, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			all += tree_sum(name, depth + 1);
		if (!S_ISREG(st.st_mode))
			continue;
		int fd = open(name, O_RDONLY);
		for (ssize_t got; fd >= 0 && (got = read(fd, buffer, sizeof(buffer))) > 0;)
			all = sum(all, buffer, got);
		close(fd);
	}
	return all;
}

static void readonly_tree(void)
{
	printf("tree %08x\n", tree_sum(".", 0));
}

static void pipes(void)
{
	static unsigned char block[4096];
	int ends[2], event = MUST(eventfd(0, EFD_NONBLOCK)), watch = MUST(inotify_init1(IN_NONBLOCK));
	uint32_t all = 0;
	uint64_t count = 3;
	struct epoll_event ready = { .events = EPOLLIN };

	MUST(pipe2(ends, 0));
	pid_t child = MUST(fork());
	if (child == 0) {
		close(ends[0]);
		for (int i = 0; i < 200; i++) {
			fill(block, sizeof(block), i);
			for (size_t at = 0; at < sizeof(block);)
				at += MUST(write(ends[1], block + at, sizeof(block) - at));
		}
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t got; (got = MUST(read(ends[0], block, sizeof(block)))) > 0;)
		all = sum(all, block, got);
	await(child);
	close(ends[0]);
	int epoll = MUST(epoll_create1(0));
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ready));
	MUST(write(event, &count, sizeof(count)));
	int found = MUST(epoll_wait(epoll, &ready, 1, 1000));
	MUST(read(event, &count, sizeof(count)));
	MUST(inotify_add_watch(watch, ".", IN_CREATE));
	close(MUST(open("watched", O_CREAT | O_RDWR, 0600)));
	ssize_t told = MUST(read(watch, block, sizeof(block)));
	MUST(unlink("watched"));
	MUST(pipe2(ends, 0));
	int file = MUST(open("spliced", O_CREAT | O_RDWR | O_TRUNC, 0600));
	MUST(write(ends[1], "through splice", 14));
	ssize_t spliced = splice(ends[0], NULL, file, NULL, 14, 0);
	MUST(unlink("spliced"));
	printf("pipes %08x, epoll %d, event %d, inotify %d, splice %d\n", all, found, (int)count, told > 0, (int)spliced);
}

static volatile sig_atomic_t caught;
static void *page;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (number == SIGSEGV && info->si_addr == page)
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
	caught++;
}

static void signals(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t set;
	struct signalfd_siginfo info;
	int queued = 0, status;

	MUST(sigaction(SIGUSR1, &action, NULL));
	MUST(sigaction(SIGSEGV, &action, NULL));
	for (int i = 0; i < 50; i++)
		MUST(kill(getpid(), SIGUSR1));
	int handled = caught;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	int fd = MUST(signalfd(-1, &set, SFD_NONBLOCK));
	for (int i = 0; i < 20; i++)
		MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		queued += info.ssi_int;
	pid_t child = MUST(fork());
	if (child == 0)
		for (;;)
			pause();
	MUST(kill(child, SIGSTOP));
	MUST(waitpid(child, &status, WUNTRACED));
	int stopped = WIFSTOPPED(status);
	MUST(kill(child, SIGCONT));
	MUST(kill(child, SIGTERM));
	MUST(waitpid(child, &status, 0));
	printf("signals %d handled, %d queued, %d stopped, ended by %d\n", handled, queued, stopped, WTERMSIG(status));
}

static void timers(void)
{
	struct itimerspec soon = { .it_value = { .tv_nsec = 2000000 }, .it_interval = { .tv_nsec = 2000000 } };
	struct timespec start, end, rest = { .tv_nsec = 3000000 };
	struct itimerval interval = { .it_value = { .tv_usec = 3000 } };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	uint64_t expired = 0, more;
	timer_t timer;

	int fd = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
	MUST(timerfd_settime(fd, 0, &soon, NULL));
	while (expired < 3) {
		MUST(read(fd, &more, sizeof(more)));
		expired += more;
	}
	MUST(sigaction(SIGALRM, &action, NULL));
	MUST(setitimer(ITIMER_REAL, &interval, NULL));
	while (caught == 0)
		pause();
	caught = 0;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	MUST(timer_create(CLOCK_REALTIME, &event, &timer));
	soon.it_interval.tv_nsec = 0;
	MUST(timer_settime(timer, 0, &soon, NULL));
	while (caught == 0)
		pause();
	MUST(timer_delete(timer));
	MUST(clock_gettime(CLOCK_MONOTONIC, &start));
	MUST(clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL));
	MUST(clock_gettime(CLOCK_MONOTONIC, &end));
	long slept = (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
	printf("timers: timerfd, interval, posix, slept %s\n", slept >= rest.tv_nsec ? "long enough" : "too short");
}

static int processes_in(int depth)
{
	int count = 1;

	for (int i = 0; i < 3 && depth > 0; i++) {
		pid_t child = MUST(fork());
		if (child == 0)
			_exit(processes_in(depth - 1));
		int status;
		MUST(waitpid(child, &status, 0));
		count += WEXITSTATUS(status);
	}
	return count;
}

static void processes(void)
{
	volatile unsigned int *word = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	int ran = 0;

	int count = processes_in(3);
	for (int i = 0; i < 8; i++) {
		pid_t child = MUST(fork());
		if (child == 0) {
			execl("/bin/busybox", "true", NULL);
			_exit(1);
		}
		await(child);
		ran++;
	}
	/* One waits for the other in the kernel, again and again. */
	pid_t child = MUST(fork());
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int mine = child == 0 ? 1 : 0, now;
		while ((now = *word) % 2 != mine)
			syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
		*word = now + 1;
		syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	if (child == 0)
		_exit(0);
	await(child);
	sched_yield();
	printf("processes %d forked, %d ran, futex %u\n", count, ran, *word);
}

static void memory(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	size_t length = 4 << 20;
	uint32_t all = 0;

	unsigned char *map = MUST(mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fill(map, length, 7);
	pid_t child = MUST(fork());
	if (child == 0) {
		for (size_t at = 0; at < length; at += 4096)
			map[at] = 1;
		_exit(0);
	}
	await(child);
	all = sum(all, map, length);
	map = MUST(mremap(map, length, length * 2, MREMAP_MAYMOVE));
	all = sum(all, map, 65536);
	MUST(madvise(map, length, MADV_DONTNEED));
	all = sum(all, map, 65536);
	page = map;
	MUST(sigaction(SIGSEGV, &action, NULL));
	MUST(mprotect(map, 4096, PROT_NONE));
	*(volatile unsigned char *)map = 5;
	MUST(munmap(map, length * 2));
	int fd = MUST(memfd_create("workload", 0));
	MUST(ftruncate(fd, 65536));
	char *shared = MUST(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	child = MUST(fork());
	if (child == 0) {
		strcpy(shared, "by the child");
		_exit(0);
	}
	await(child);
	all = sum(all, shared, 12);
	int id = MUST(shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600));
	char *attached = MUST(shmat(id, NULL, 0));
	strcpy(attached, "system five");
	MUST(shmctl(id, IPC_RMID, NULL));
	all = sum(all, attached, 11);
	MUST(shmdt(attached));
	printf("memory %08x, %d faults caught\n", all, (int)caught);
}

static void ipc(void)
{
	struct { long type; char text[32]; } message = { 5, "a message" };
	struct sembuf up = { 0, 1, 0 }, down = { 0, -1, 0 };
	uint32_t all = 0;

	int queue = MUST(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	for (int i = 0; i < 10; i++) {
		message.type = 1 + i % 3;
		message.text[0] = 'a' + i;
		MUST(msgsnd(queue, &message, sizeof(message.text), 0));
	}
	for (int i = 0; i < 10; i++) {
		MUST(msgrcv(queue, &message, sizeof(message.text), i < 3 ? 2 : 0, 0));
		all = sum(all, message.text, 1);
	}
	MUST(msgctl(queue, IPC_RMID, NULL));
	int semaphores = MUST(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
	pid_t child = MUST(fork());
	if (child == 0) {
		for (int i = 0; i < 20; i++)
			MUST(semop(semaphores, &up, 1));
		_exit(0);
	}
	for (int i = 0; i < 20; i++)
		MUST(semop(semaphores, &down, 1));
	await(child);
	MUST(semctl(semaphores, 0, IPC_RMID));
	printf("ipc %08x\n", all);
}

static void unix_sockets(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	char text[64] = "", room[CMSG_SPACE(sizeof(int))];
	uint32_t all = 0;
	int passed = 0;

	for (int t = 0; t < 3; t++) {
		int ends[2];
		MUST(socketpair(AF_UNIX, types[t], 0, ends));
		for (int i = 0; i < 50; i++) {
			snprintf(text, sizeof(text), "message %d", i);
			MUST(send(ends[0], text, 16, 0));
			memset(text, 0, sizeof(text));
			ssize_t got = MUST(recv(ends[1], text, 16, 0));
			all = sum(all, text, got);
		}
		int sent = MUST(open("/dev/null", O_RDWR));
		struct iovec part = { text, 1 };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(head), &sent, sizeof(sent));
		MUST(sendmsg(ends[0], &message, 0));
		MUST(recvmsg(ends[1], &message, 0));
		head = CMSG_FIRSTHDR(&message);
		if (head != NULL) {
			int got;
			memcpy(&got, CMSG_DATA(head), sizeof(got));
			passed += write(got, "x", 1) == 1;
			close(got);
		}
		close(sent);
		close(ends[0]);
		close(ends[1]);
	}
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	snprintf(name.sun_path, sizeof(name.sun_path), "socket");
	unlink(name.sun_path);
	int listener = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	MUST(listen(listener, 4));
	int caller = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(connect(caller, (struct sockaddr *)&name, sizeof(name)));
	int answered = MUST(accept(listener, NULL, NULL));
	MUST(write(caller, "by name", 7));
	MUST(read(answered, text, 7));
	MUST(unlink(name.sun_path));
	printf("unix %08x, %d descriptors passed, %.7s\n", sum(all, text, 7), passed, text);
}

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_vm vm;
};

static socklen_t loopback(int family, union address *to)
{
	memset(to, 0, sizeof(*to));
	to->any.sa_family = family;
	if (family == AF_INET) {
		to->four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(to->four);
	}
	if (family == AF_INET6) {
		to->six.sin6_addr = in6addr_loopback;
		return sizeof(to->six);
	}
	to->vm.svm_cid = VMADDR_CID_LOCAL;
	to->vm.svm_port = VMADDR_PORT_ANY;
	return sizeof(to->vm);
}

static void limit_waiting(int fd)
{
	struct timeval limit = { .tv_sec = 20 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* A stream there and back. What the kernel does not have is said by its error. */
static void stream(const char *name, int family, int protocol)
{
	static unsigned char block[32768];
	union address to;
	uint32_t there = 0, back = 0;

	doing = name;
	int listener = socket(family, SOCK_STREAM, protocol);
	if (listener < 0) {
		printf("%s: %s\n", name, strerror(errno));
		return;
	}
	socklen_t length = loopback(family, &to);
	if (bind(listener, &to.any, length) != 0) {
		printf("%s: bind: %s\n", name, strerror(errno));
		close(listener);
		return;
	}
	MUST(listen(listener, 4));
	limit_waiting(listener);
	if (family == AF_VSOCK) {
		struct sockaddr_vm bound;
		socklen_t size = sizeof(bound);
		MUST(getsockname(listener, (struct sockaddr *)&bound, &size));
		to.vm.svm_port = bound.svm_port;
	} else
		MUST(getsockname(listener, &to.any, &length));
	pid_t child = MUST(fork());
	if (child == 0) {
		int end = MUST(accept(listener, NULL, NULL));
		limit_waiting(end);
		for (ssize_t got; (got = MUST(read(end, block, sizeof(block)))) > 0;)
			for (ssize_t at = 0; at < got;)
				at += MUST(write(end, block + at, got - at));
		_exit(0);
	}
	int caller = MUST(socket(family, SOCK_STREAM, protocol));
	limit_waiting(caller);
	MUST(connect(caller, &to.any, length));
	for (int i = 0; i < 12; i++) {
		size_t size = 1 + i * 2000;
		fill(block, size, i);
		there = sum(there, block, size);
		for (size_t at = 0; at < size;)
			at += MUST(write(caller, block + at, size - at));
		memset(block, 0, size);
		for (size_t at = 0; at < size;) {
			ssize_t got = MUST(read(caller, block + at, size - at));
			if (got == 0)
				die("closed early");
			at += got;
		}
		back = sum(back, block, size);
	}
	MUST(shutdown(caller, SHUT_WR));
	close(caller);
	await(child);
	close(listener);
	printf("%s %08x %s\n", name, there, there == back ? "there and back" : "DIFFERS");
}

static void datagrams(const char *name, int family, int protocol)
{
	char block[1200], back[1200];
	union address to;
	uint32_t all = 0;

	doing = name;
	int receiver = socket(family, SOCK_DGRAM, protocol), sender = socket(family, SOCK_DGRAM, protocol);
	if (receiver < 0 || sender < 0) {
		printf("%s: %s\n", name, strerror(errno));
		return;
	}
	socklen_t length = loopback(family, &to);
	if (bind(receiver, &to.any, length) != 0) {
		printf("%s: bind: %s\n", name, strerror(errno));
		return;
	}
	limit_waiting(receiver);
	MUST(getsockname(receiver, &to.any, &length));
	for (int i = 0; i < 60; i++) {
		fill(block, sizeof(block), i);
		MUST(sendto(sender, block, 20 * i, 0, &to.any, length));
		ssize_t got = MUST(recv(receiver, back, sizeof(back), 0));
		all = sum(all, back, got);
	}
	close(receiver);
	close(sender);
	printf("%s %08x\n", name, all);
}

static void option(int fd, int level, int name, const void *value, socklen_t size)
{
	printf(" %d", setsockopt(fd, level, name, value, size) == 0 ? 0 : errno);
}

/* A group of listeners on the loopback device: joined, left, and with one sender alone. */
static void groups(const char *name, int family)
{
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct group_req group = { .gr_interface = if_nametoindex("lo") };
	struct group_source_req source = { .gsr_interface = group.gr_interface };
	union address to;
	socklen_t length;

	doing = name;
	int fd = socket(family, SOCK_DGRAM, 0);
	if (fd < 0) {
		printf("%s: %s\n", name, strerror(errno));
		return;
	}
	length = loopback(family, &to);
	memcpy(&source.gsr_source, &to, length);
	if (family == AF_INET)
		to.four.sin_addr.s_addr = htonl(0xefff0377);
	else
		inet_pton(AF_INET6, "ff02::377", &to.six.sin6_addr);
	memcpy(&group.gr_group, &to, length);
	memcpy(&source.gsr_group, &to, length);
	printf("%s", name);
	for (int i = 0; i < 3; i++) {
		option(fd, level, MCAST_JOIN_GROUP, &group, sizeof(group));
		option(fd, level, MCAST_BLOCK_SOURCE, &source, sizeof(source));
		option(fd, level, MCAST_UNBLOCK_SOURCE, &source, sizeof(source));
		option(fd, level, MCAST_LEAVE_GROUP, &group, sizeof(group));
		option(fd, level, MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source));
		option(fd, level, MCAST_LEAVE_SOURCE_GROUP, &source, sizeof(source));
	}
	/* Left when it is closed. */
	option(fd, level, MCAST_JOIN_GROUP, &group, sizeof(group));
	close(fd);
	printf("\n");
}

static void inet(void)
{
	groups("groups", AF_INET);
	groups("groups6", AF_INET6);
	stream("tcp", AF_INET, 0);
	stream("tcp6", AF_INET6, 0);
	datagrams("udp", AF_INET, 0);
	datagrams("udp6", AF_INET6, 0);
}

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Protocols that modules bring. */
static void protocols(void)
{
	stream("mptcp", AF_INET, IPPROTO_MPTCP);
	stream("sctp", AF_INET, IPPROTO_SCTP);
	stream("sctp6", AF_INET6, IPPROTO_SCTP);
	stream("vsock", AF_VSOCK, 0);
	datagrams("udplite", AF_INET, IPPROTO_UDPLITE);
}

static void netlink(void)
{
	struct { struct nlmsghdr head; struct rtgenmsg of; } ask = {
		{ .nlmsg_len = sizeof(ask), .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		{ .rtgen_family = AF_UNSPEC },
	};
	static const int kinds[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE, RTM_GETQDISC };
	static char answer[65536];

	int fd = MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	limit_waiting(fd);
	printf("netlink");
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		int done = 0, errors = 0;
		ask.head.nlmsg_type = kinds[k];
		ask.head.nlmsg_seq = k;
		MUST(send(fd, &ask, sizeof(ask), 0));
		while (!done) {
			int length = MUST(recv(fd, answer, sizeof(answer), 0));
			for (struct nlmsghdr *one = (void *)answer; NLMSG_OK(one, length); one = NLMSG_NEXT(one, length)) {
				errors += one->nlmsg_type == NLMSG_ERROR;
				done |= one->nlmsg_type == NLMSG_DONE || one->nlmsg_type == NLMSG_ERROR;
			}
		}
		printf(" %s", errors ? "error" : "ok");
	}
	int packet = MUST(socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5)));
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = if_nametoindex("lo"), .sll_halen = 6 };
	limit_waiting(packet);
	MUST(bind(packet, (struct sockaddr *)&to, sizeof(to)));
	MUST(sendto(packet, "a frame", 7, 0, (struct sockaddr *)&to, sizeof(to)));
	ssize_t got = MUST(recv(packet, answer, sizeof(answer), 0));
	printf(", packet %.*s\n", (int)got, answer);
}

static void alg(void)
{
	static const char *names[][2] = { { "hash", "sha256" }, { "hash", "sha1" }, { "hash", "crc32c" }, { "hash", "md5" } };
	unsigned char digest[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sockaddr_alg to = { .salg_family = AF_ALG };
		int fd = socket(AF_ALG, SOCK_SEQPACKET, 0), operation;
		strcpy((char *)to.salg_type, names[i][0]);
		strcpy((char *)to.salg_name, names[i][1]);
		if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || (operation = accept(fd, NULL, 0)) < 0) {
			printf("%s: %s\n", names[i][1], strerror(errno));
			close(fd);
			continue;
		}
		MUST(write(operation, "abc", 3));
		ssize_t got = MUST(read(operation, digest, sizeof(digest)));
		printf("%s %08x\n", names[i][1], sum(0, digest, got));
		close(operation);
		close(fd);
	}
}

/* Every family of addresses and kind of socket: what can be opened, asked and closed. */
static void families(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };

	printf("families");
	for (int family = 1; family < 48; family++)
		for (int t = 0; t < 4; t++) {
			struct sockaddr_storage name;
			socklen_t length = sizeof(name);
			int value = 4096, fd = socket(family, types[t], 0);
			if (fd < 0)
				continue;
			struct pollfd wait = { fd, POLLIN | POLLOUT, 0 };
			fcntl(fd, F_SETFL, O_NONBLOCK);
			(void)!getsockname(fd, (struct sockaddr *)&name, &length);
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value));
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value));
			poll(&wait, 1, 0);
			(void)!recv(fd, &name, sizeof(name), MSG_DONTWAIT);
			shutdown(fd, SHUT_RDWR);
			close(fd);
			printf(" %d/%d", family, types[t]);
		}
	printf("\n");
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "files", files },	  { "tree", readonly_tree },  { "pipes", pipes },     { "signals", signals },	  { "timers", timers },
	{ "processes", processes }, { "memory", memory },     { "ipc", ipc },	      { "unix", unix_sockets },	  { "inet", inet },
	{ "protocols", protocols }, { "netlink", netlink },   { "alg", alg },	      { "families", families },
};

int main(int count, char **words)
{
	if (count != 3 || chdir(words[2]) != 0)
		return 2;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	signal(SIGPIPE, SIG_IGN);
	/* A part that hangs says so by how it ends. */
	alarm(120);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(parts[i].name, words[1]) == 0) {
			doing = words[1];
			parts[i].run();
			fflush(stdout);
			return 0;
		}
	return 2;
}
