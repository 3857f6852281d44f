# SPDX-License-Identifier: MIT
# The parts of script/test and script/soak; sourced by both from the root of the tree.
#
# Each part builds what it needs, runs it and adds its counts. A build that fails counts as one
# failed test, and the rest still runs.

passed=0
failed=0
targets=
python=/usr/bin/python3 # Debian's, for which pytest and pymodbus are installed

say() {
    printf '\n== %s\n' "$*"
}

# add FILE: the counts that summarise_tests prints, and everything that failed.
add() {
    counts=$($python script/summarise_tests "$@") || counts="0 1"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    printf '%s: %s passed, %s failed\n' "$what" "${counts% *}" "${counts#* }"
}

# prepare DIR OPTIONS...: configures once, builds $targets (all of them where that is empty); on
# failure counts it and returns 1.
prepare() {
    dir=$1
    shift
    what=$dir
    if { [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.setup.log" 2>&1; } && ninja -C "$dir" $targets >"$dir.log" 2>&1; then
        grep -A2 'warning:' "$dir.log" | grep -v '^\['
        rm -f "$dir.log" "$dir.setup.log"
        return 0
    fi
    cat "$dir.setup.log" "$dir.log" 2>/dev/null | tail -40
    rm -f "$dir.log" "$dir.setup.log"
    echo "$dir: does not build"
    failed=$((failed + 1))
    return 1
}

# run_meson DIR ARGUMENTS...: meson's tests of a build. The old log must not be counted again.
run_meson() {
    dir=$1
    shift
    what=${what:-$dir}
    rm -f "$dir/meson-logs/testlog.json"
    ASAN_OPTIONS=$asan_options $without_aslr meson test -C "$dir" --no-rebuild --print-errorlogs --quiet "$@"
    add "$dir/meson-logs/testlog.json"
}

# run_pytest NAME ARGUMENTS...
run_pytest() {
    what=$1
    shift
    rm -f build/pytest.xml
    mkdir -p build
    $without_aslr $python -m pytest -q --tb=short -p no:cacheprovider --junitxml=build/pytest.xml -o junit_family=xunit2 \
        --durations=5 "$@"
    add build/pytest.xml
}

# meson's own, and less of what was freed is kept to be recognized: 16 MB instead of 256, which no cache holds.
asan_options=halt_on_error=1:abort_on_error=1:print_summary=1:quarantine_size_mb=16

# ThreadSanitizer of gcc 12 cannot live with the address space layout of newer kernels.
without_aslr=
setarch "$(uname -m)" -R true 2>/dev/null && without_aslr="setarch $(uname -m) -R"

sanitize() {
    prepare build-asan -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=undefined
}

# What ./script/run starts and what packages are made of.
part_plain() {
    say "the plain build"
    prepare build -Dtests=false
}

part_layers() {
    say "layers"
    run_pytest layers tests/test_layers.py
}

part_unit() {
    say "unit tests and corpora, gcc with AddressSanitizer and UBSan"
    sanitize || return
    what="unit, asan+ubsan"
    run_meson build-asan --no-suite days
}

# Most of these wait most of the time, so several run at once.
part_together() {
    say "the whole program against servers and faults, gcc with AddressSanitizer and UBSan"
    sanitize || return
    WEIR=$PWD/build-asan/weir run_pytest scenario tests/scenario -n 6 --dist loadgroup -m "not alone" "$@"
}

part_alone() {
    say "the same, for what measures time"
    sanitize || return
    WEIR=$PWD/build-asan/weir run_pytest "scenario, alone" tests/scenario -m alone "$@"
}

part_scenario() {
    part_together "$@"
    part_alone "$@"
}

# Threads meet in runtime; the other tests have one. A daemon under load brings all of them together.
part_threads() {
    say "what has threads, with ThreadSanitizer"
    targets="weir threaded-tests" prepare build-tsan -Db_sanitize=thread || return
    what="unit, tsan"
    run_meson build-tsan --suite threads
    WEIR=$PWD/build-tsan/weir run_pytest "scenario, tsan" tests/scenario -n 4 -m threads
}

part_clang() {
    say "unit tests with clang"
    CC=clang prepare build-clang || return
    what="unit, clang"
    run_meson build-clang --suite unit
}

part_ndebug() {
    say "unit tests and simulated days with -O3 and without assertions"
    prepare build-ndebug -Dbuildtype=release -Db_ndebug=true || return
    what="unit, -O3 -DNDEBUG"
    run_meson build-ndebug --suite unit --suite days --suite static
}

# begin_behind PART...: these parts, when nobody else wants a processor. end_behind shows what they said.
begin_behind() {
    idle="nice -n 19"
    chrt -i 0 true 2>/dev/null && idle="chrt -i 0"
    $idle script/test "$@" >build/behind.log 2>&1 &
    behind=$!
    trap 'kill $behind; exit 130' INT TERM
}

end_behind() {
    wait $behind
    trap - INT TERM
    sed '$d' build/behind.log
    counts=$(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' build/behind.log)
    counts=${counts:-0 1}
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
}

finish() {
    printf '\n%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
