# The functions by which the kernel's self-tests load and unload livepatches, again, with Suture instead of modprobe and sysfs. What the tests do
# around them, and the log that they expect of the kernel, is theirs. Read after the kernel's functions.sh.

SUTURE="node /opt/suture.mjs --json"

# Newer kernels have their test modules beside the scripts, older ones where modprobe finds them.
function file_of() {
	if [[ -d test_modules ]]; then echo "test_modules/$1.ko"; else modinfo -n "$1"; fi
}

function announce() {
	local mod="$1"; shift
	ANNOUNCED="% modprobe $mod $*"
	[[ -d test_modules ]] && ANNOUNCED="% insmod test_modules/$mod.ko $*"
	ANNOUNCED="${ANNOUNCED%% }"
	log "$ANNOUNCED"
}

# Which command loads it: those that take the place of all others are loaded by one of their own.
function word_for() {
	local others=$(ls /sys/kernel/livepatch)
	case "$*" in
		*replace=1* | test_klp_state[23]*) [[ "$others" != "" ]] && { echo replace; return; } ;;
	esac
	echo load --stack
}

function suture() {
	SAID=$($SUTURE "$@" 2>/run/suture-stderr)
}

function failed() {
	die "suture $*: $SAID $(cat /run/suture-stderr)"
}

function load_lp() {
	local mod="$1"; shift
	announce "$mod" "$@"
	suture $(word_for "$mod" "$@") --unproven "$(file_of "$mod")" "$@" || failed load "$mod"
}

# It waits for the transition, and we do not wait for it.
function load_lp_nowait() {
	local mod="$1"; shift
	announce "$mod" "$@"
	$SUTURE load --stack --unproven --on-timeout wait "$(file_of "$mod")" "$@" >/run/loading 2>&1 &
	LOADING=$!
	loop_until '[[ -e "/sys/kernel/livepatch/$mod" ]]' || die "suture load $mod: $(cat /run/loading)"
}

# Either the kernel refuses it, and says why, or Suture does, and then the kernel never hears of it.
function load_failing_mod() {
	local mod="$1"; shift
	announce "$mod" "$@"
	local file=$(file_of "$mod")
	if [[ $(modinfo "$file" | awk '/^livepatch:/{print $NF}') != "Y" ]]; then
		local ret
		if [[ -d test_modules ]]; then ret=$(insmod "$file" "$@" 2>&1); else ret=$(modprobe "$mod" "$@" 2>&1); fi
		[[ "$ret" == "" ]] && die "$mod unexpectedly loaded"
		log "$ret"
		return
	fi
	suture $(word_for "$mod" "$@") --unproven "$file" "$@" && die "$mod unexpectedly loaded"
	local code=$(sed 's/.*"code":"\([A-Z_]*\)".*/\1/' <<<"$SAID")
	if [[ "$code" != "HOST_REFUSED" ]]; then
		SPARED="$ANNOUNCED"
		echo -n "(suture: $code) "
		return
	fi
	local why=$(sed 's/.*did not take it: \([^.;]*\)[.;].*/\1/' <<<"$SAID")
	if [[ -d test_modules ]]; then
		log "insmod: ERROR: could not insert module $file: $why"
	else
		# The two programs have different words for EINVAL.
		log "modprobe: ERROR: could not insert '$mod': ${why/Invalid parameters/Invalid argument}"
	fi
}

function disable_lp() {
	local mod="$1"
	log "% echo 0 > /sys/kernel/livepatch/$mod/enabled"
	if [[ "$LOADING" != "" ]]; then
		# The load that still waits is broken off, which turns the transition back and takes the module out.
		kill -INT "$LOADING"
		wait "$LOADING"
		[[ $? == 130 ]] || die "suture load $mod was not cancelled: $(cat /run/loading)"
		LOADING=""
	else
		suture disable "$mod" || failed disable "$mod"
	fi
	[[ ! -e "/sys/kernel/livepatch/$mod" ]] || die "failed to disable livepatch $mod"
}

function unload_lp() {
	local mod="$1"
	log "% rmmod $mod"
	# `suture replace` and a load that was broken off have taken it out already.
	[[ -e "/sys/module/$mod" ]] || return 0
	suture unload "$mod" || failed unload "$mod"
}

eval "kernels_$(declare -f check_result)"

function check_result() {
	local expect="$*"
	if [[ "$SPARED" != "" ]]; then
		# What the kernel would have said while it refused.
		expect=$(awk -v spared="$SPARED" '$0 == spared && !done { print; skip = 1; next } skip && /: ERROR: could not insert/ { skip = 0; done = 1; next } !skip' <<<"$expect")
		SPARED=""
	fi
	kernels_check_result "$expect"
}
