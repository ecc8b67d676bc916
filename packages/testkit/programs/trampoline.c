// SPDX-License-Identifier: GPL-2.0
/* Puts a BPF trampoline on a function of the kernel and holds it until it is killed: trampoline entry|exit FUNCTION. */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void *types(void)
{
	FILE *file = fopen("/sys/kernel/btf/vmlinux", "r");
	size_t size = 0, got;
	char *bytes = malloc(64 << 20);

	if (!file || !bytes)
		return NULL;
	while ((got = fread(bytes + size, 1, 1 << 20, file)) > 0)
		size += got;
	return bytes;
}

/* What follows the head of a type. */
static size_t tail(unsigned int kind, unsigned int count)
{
	switch (kind) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return 12 * count;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return 8 * count;
	default:
		return 0;
	}
}

static unsigned int find(const char *function)
{
	char *bytes = types();
	struct btf_header *header = (struct btf_header *)bytes;
	char *at, *end, *strings;
	unsigned int id = 1;

	if (!bytes)
		return 0;
	at = bytes + header->hdr_len + header->type_off;
	end = at + header->type_len;
	strings = bytes + header->hdr_len + header->str_off;
	for (; at < end; id++) {
		struct btf_type *type = (struct btf_type *)at;
		unsigned int kind = BTF_INFO_KIND(type->info);

		if (kind == BTF_KIND_FUNC && !strcmp(strings + type->name_off, function))
			return id;
		at += sizeof(*type) + tail(kind, BTF_INFO_VLEN(type->info));
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static char log[65536];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.insns = (unsigned long)nothing,
		.insn_cnt = 2,
		.license = (unsigned long)"GPL",
		.log_buf = (unsigned long)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int program;

	if (argc != 3)
		return 2;
	attr.expected_attach_type = strcmp(argv[1], "entry") ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY;
	attr.attach_btf_id = find(argv[2]);
	program = bpf(BPF_PROG_LOAD, &attr);
	if (program < 0) {
		fprintf(stderr, "%s\n", log);
		perror("BPF_PROG_LOAD");
		return 1;
	}
	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.prog_fd = program;
	if (bpf(BPF_RAW_TRACEPOINT_OPEN, &attr) < 0) {
		perror("BPF_RAW_TRACEPOINT_OPEN");
		return 1;
	}
	puts("holding");
	fflush(stdout);
	pause();
	return 0;
}
