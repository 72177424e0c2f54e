#!/bin/sh
# Builds and installs the C library, for programs that Swift's package manager does not build. `install.sh --help` explains it.
#
# Everything is built and laid out in a temporary directory first; then each file is copied beside its place, and only when all
# are there are they moved into place. So a failure leaves what was there, and a program that runs keeps the library it has.
set -eu
umask 022

# Of the shared libraries. The same number is in their version scripts.
abi=2

usage() {
    cat << 'END'
Usage: install.sh [--with-program] PREFIX

Builds the C library of Mailslots and installs it below PREFIX, for programs in C, C++ and other languages:

  PREFIX/include/mailslots.h, mailslots/        the headers; mailslots.h is the manual
  PREFIX/include/mailslots.hpp                  the same for C++20
  PREFIX/lib/libmailslots.a, libmailslots.so    the static and the shared library; they need libc and nothing else
  PREFIX/lib/pkgconfig/mailslots.pc             for pkg-config and Meson: the options to compile and link with
  PREFIX/lib/cmake/Mailslots/                   for CMake: find_package(Mailslots), with the targets Mailslots::mailslots and
                                                Mailslots::mailslots-static

Where the sources have the Windows calls, libmailslots-win32 likewise, with its headers in PREFIX/include/mailslots-win32; CMake calls
it Mailslots::win32 and Mailslots::win32-static.

With a PREFIX of your own no root is needed. If anything fails, nothing is changed.

  --with-program    also PREFIX/bin/mailslot and mailslot-bridge, their manual pages, completions for bash, zsh and fish, and for the
                    bridge units for systemd and PREFIX/share/mailslots/bridge.json, an example; needs Swift, and takes some minutes.
                    Where liburing-dev and libnats-dev are installed they use them, and need liburing and libnats where they run
  --help            print this and end

Environment: CC (cc, gcc or clang), CFLAGS (-O2), LDFLAGS, AR (ar or llvm-ar). DESTDIR is put before PREFIX where files are copied
to, and nowhere else: for those who make packages. SCRATCH_PATH: where Swift builds the programs, and leaves what it has built for the
next time; else in a temporary directory.

Exit status: 0 installed, 1 failure, 64 wrong usage.
END
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

misused() {
    echo "install.sh: $*" >&2
    echo "Usage: install.sh [--with-program] PREFIX (install.sh --help explains it)" >&2
    exit 64
}

# MARK: arguments

with_program=false
prefix=
for argument; do
    case $argument in
    --help | -h)
        usage
        exit
        ;;
    --with-program) with_program=true ;;
    -*) misused "there is no option $argument" ;;
    '') misused "PREFIX is empty" ;;
    *)
        [ -z "$prefix" ] || misused "there are two prefixes: $prefix and $argument"
        prefix=$argument
        ;;
    esac
done
[ -n "$prefix" ] || misused "say where: PREFIX is missing"
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
case $prefix in
*['"\#$'"'"'	 ']* | *'
'*) misused "PREFIX has a space or one of \" ' \\ # \$ in it, which pkg-config files cannot express: $prefix" ;;
esac
root=${DESTDIR-}$prefix

# MARK: what can be said before anything is done

sources=$(cd "$(dirname "$0")/.." && pwd)
# Major, minor and patch are three lines there.
version=$(sed -n 's/^#define MSLOT_VERSION_[MP][A-Z]* //p' "$sources/CMailslots/include/mailslots/version.h" | paste -s -d . -)

existing=$root
while ! [ -e "$existing" ]; do existing=$(dirname "$existing"); done
[ -d "$existing" ] || fail "$existing is not a directory, so nothing can be installed in $root."
[ -w "$existing" ] || fail "you may not write to $existing. Choose a PREFIX of your own, for instance \$HOME/.local, or be root."

if $with_program; then
    command -v swift > /dev/null || fail "there is no swift, which the programs are built with. Without --with-program it is not needed."
fi

# first_of PROGRAM...: the first that is installed, or nothing.
first_of() {
    for program; do
        if command -v "$program" > /dev/null; then
            echo "$program"
            return
        fi
    done
}
CC=${CC:-$(first_of cc gcc clang)}
[ -n "$CC" ] || fail "there is no C compiler: neither cc, gcc nor clang. Install one, or name it: CC=... install.sh $prefix"
# The first word: CC may bring options.
command -v "${CC%% *}" > /dev/null || fail "there is no compiler ${CC%% *}, which CC names."
AR=${AR:-$(first_of ar llvm-ar)}
[ -n "$AR" ] || fail "there is neither ar nor llvm-ar, which make the static library. Install binutils, or name one: AR=..."
command -v "${AR%% *}" > /dev/null || fail "there is no ${AR%% *}, which AR names."

work=$(mktemp -d) || fail "there is no room for temporary files in ${TMPDIR:-/tmp}."
stage=$work/stage
added=$work/added
made=$work/made
: > "$added"
: > "$made"

# Takes back what is not complete.
clean_up() {
    while IFS= read -r file; do rm -f "$file"; done < "$added"
    sort -r "$made" | while IFS= read -r directory; do rmdir "$directory" 2> /dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

make_directory() {
    if [ -d "$1" ]; then return; fi
    make_directory "$(dirname "$1")"
    mkdir "$1" || fail "the directory $1 could not be made. Nothing was installed."
    echo "$1" >> "$made"
}

# Now, so that nobody waits for a build that cannot be installed.
make_directory "$root"

# MARK: building into the stage

# build_library NAME DIRECTORY HEADERS [LINK OPTION...]: the sources of DIRECTORY, whose headers go to include/HEADERS.
build_library() {
    name=$1
    directory=$2
    headers=$stage/include/$3
    shift 3
    objects=$work/$name
    mkdir -p "$objects" "$headers" "$stage/lib/pkgconfig"

    find "$directory" -name '*.c' | LC_ALL=C sort > "$objects/sources"
    while IFS= read -r source; do
        # Two directories may have files of one name.
        object=$(echo "${source#"$directory"/}" | tr / -)
        # CC and CFLAGS are words. Position-independent once, for both libraries: the static one may end up in a shared one.
        # shellcheck disable=SC2086
        $CC -std=c11 ${CFLAGS--O2} -fPIC -D_GNU_SOURCE "-I$directory/include" "-I$sources/CMailslots/include" \
            -c "$source" -o "$objects/${object%.c}.o" || fail "$source does not compile. Nothing was installed."
    done < "$objects/sources"

    # shellcheck disable=SC2086
    $AR rcs "$stage/lib/lib$name.a" "$objects"/*.o || fail "lib$name.a could not be made. Nothing was installed."
    map=$directory/lib$name.map
    [ -f "$map" ] && set -- "-Wl,--version-script=$map" "$@"
    # nodelete: the library stays when a program closes it, for it leaves a thread and a signal handler.
    # shellcheck disable=SC2086
    $CC ${CFLAGS--O2} ${LDFLAGS-} -shared "-Wl,-soname,lib$name.so.$abi" -Wl,-z,defs -Wl,-z,nodelete \
        -Wl,--as-needed "$objects"/*.o "$@" -pthread -o "$stage/lib/lib$name.so.$abi" \
        || fail "lib$name.so could not be linked. Nothing was installed."
    ln -s "lib$name.so.$abi" "$stage/lib/lib$name.so"

    # Loops are for the Swift layer alone, and no library exports them.
    (cd "$directory/include" && find . -name '*.h' ! -name loop.h -o -name '*.hpp') | while IFS= read -r header; do
        mkdir -p "$(dirname "$headers/$header")"
        cp "$directory/include/$header" "$headers/$header"
    done
}

# describe_library NAME HEADERS REQUIRES DESCRIPTION
describe_library() {
    cat > "$stage/lib/pkgconfig/$1.pc" << END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: $1
Description: $4
Version: $version
${3:+Requires: $3
}Cflags: -I\${includedir}$2
Libs: -L\${libdir} -l$1
Libs.private: -pthread -Wl,-z,nodelete
END
}

# For CMake, wherever the prefix is moved to.
describe_for_cmake() {
    package=$stage/lib/cmake/Mailslots
    mkdir -p "$package"
    cat > "$package/MailslotsConfig.cmake" << 'END'
# The targets Mailslots::mailslots and Mailslots::mailslots-static; where the Windows calls are installed, Mailslots::win32 and
# Mailslots::win32-static.
get_filename_component(_mailslots_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(THREADS_PREFER_PTHREAD_FLAG ON)
include(CMakeFindDependencyMacro)
find_dependency(Threads)

function(_mailslots_add target file)
    if(TARGET Mailslots::${target} OR NOT EXISTS "${_mailslots_prefix}/lib/${file}")
        return()
    endif()
    set(libraries "")
    if(file MATCHES "[.]a$")
        add_library(Mailslots::${target} STATIC IMPORTED)
        # nodelete: a plugin that has the library inside must stay, for it leaves a thread and a signal handler.
        set(libraries Threads::Threads "-Wl,-z,nodelete")
    else()
        add_library(Mailslots::${target} SHARED IMPORTED)
        set_target_properties(Mailslots::${target} PROPERTIES IMPORTED_SONAME "${file}")
    endif()
    set_target_properties(Mailslots::${target} PROPERTIES
        IMPORTED_LOCATION "${_mailslots_prefix}/lib/${file}"
        INTERFACE_INCLUDE_DIRECTORIES "${_mailslots_prefix}/include"
        INTERFACE_LINK_LIBRARIES "${libraries}")
endfunction()

function(_mailslots_add_win32 target file library)
    if(TARGET Mailslots::${target} OR NOT EXISTS "${_mailslots_prefix}/lib/${file}")
        return()
    endif()
    _mailslots_add(${target} ${file})
    set(include "${_mailslots_prefix}/include/mailslots-win32")
    # The headers of the C runtime come before libc's, with formats that -Wformat does not know.
    set_target_properties(Mailslots::${target} PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${include};${include}/crt"
        INTERFACE_COMPILE_OPTIONS "-Wno-format"
        INTERFACE_LINK_LIBRARIES "Mailslots::${library};Threads::Threads")
endfunction()

END
    {
        echo "_mailslots_add(mailslots libmailslots.so.$abi)"
        echo "_mailslots_add(mailslots-static libmailslots.a)"
        echo "_mailslots_add_win32(win32 libmailslots-win32.so.$abi mailslots)"
        echo "_mailslots_add_win32(win32-static libmailslots-win32.a mailslots-static)"
        echo "unset(_mailslots_prefix)"
    } >> "$package/MailslotsConfig.cmake"
    cat > "$package/MailslotsConfigVersion.cmake" << END
set(PACKAGE_VERSION "$version")
set(_mailslots_minor "${version%.*}")
END
    cat >> "$package/MailslotsConfigVersion.cmake" << 'END'
# Before 1.0 each minor version may change names.
if(PACKAGE_FIND_VERSION VERSION_LESS_EQUAL PACKAGE_VERSION AND NOT PACKAGE_FIND_VERSION VERSION_LESS _mailslots_minor)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
endif()
# Both are of 64 bits.
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
unset(_mailslots_minor)
END
}

build_library mailslots "$sources/CMailslots" ""
describe_library mailslots "" "" "Kill-safe small messages between the processes of one machine"

if [ -d "$sources/CMailslotsWin32" ]; then
    build_library mailslots-win32 "$sources/CMailslotsWin32" mailslots-win32 "$stage/lib/libmailslots.so"
    # Such programs find headers of the C runtime before libc's.
    describe_library mailslots-win32 '/mailslots-win32 -I${includedir}/mailslots-win32/crt -pthread' mailslots \
        "The Windows mailslot calls, for programs that are compiled for Linux"
fi

describe_for_cmake

if $with_program; then
    package=$(dirname "$sources")
    mkdir -p "$stage/bin" "$stage/share/man/man1"
    scratch=${SCRATCH_PATH:-$work/swift}
    for product in mailslot mailslot-bridge generate-manual; do
        swift build -c release --static-swift-stdlib -Xlinker -s --package-path "$package" --scratch-path "$scratch" \
            --product "$product" >&2 || fail "$product could not be built. Nothing was installed."
    done
    for program in mailslot mailslot-bridge; do
        cp "$scratch/release/$program" "$stage/bin/$program"
        "$scratch/release/generate-manual" "$stage/bin/$program" --output-directory "$stage/share/man/man1" > /dev/null \
            || fail "the manual page of $program could not be made. Nothing was installed."
        # Where each shell looks by itself, if PREFIX is /usr/local or /usr.
        for completion in bash:bash-completion/completions/$program zsh:zsh/site-functions/_$program \
            fish:fish/vendor_completions.d/$program.fish; do
            file=$stage/share/${completion#*:}
            mkdir -p "$(dirname "$file")"
            "$stage/bin/$program" --generate-completion-script "${completion%%:*}" > "$file" \
                || fail "completions of $program could not be made. Nothing was installed."
        done
    done
    # Where systemd looks by itself: for both if PREFIX is /usr/local or /usr, for users' units also if it is ~/.local.
    for unit in system:lib/systemd/system user:share/systemd/user; do
        mkdir -p "$stage/${unit#*:}"
        sed "s#/usr/local/bin/#$(echo "$prefix" | sed 's/&/\\&/g')/bin/#" \
            "$sources/MailslotsBridge/systemd/${unit%%:*}/mailslots-bridge.service" > "$stage/${unit#*:}/mailslots-bridge.service"
    done
    mkdir -p "$stage/share/mailslots"
    cp "$sources/MailslotsBridge/bridge.json" "$stage/share/mailslots/bridge.json"
fi

# MARK: into place

(cd "$stage" && find . ! -type d | sed 's,^\./,,' | LC_ALL=C sort) > "$work/files"

while IFS= read -r file; do
    make_directory "$(dirname "$root/$file")"
    [ ! -d "$root/$file" ] || [ -h "$root/$file" ] || fail "$root/$file is a directory. Nothing was installed."
    echo "$root/$file.new.$$" >> "$added"
    cp -pP "$stage/$file" "$root/$file.new.$$" || fail "$root/$file could not be written. Nothing was installed."
done < "$work/files"

while IFS= read -r file; do
    mv -fT "$root/$file.new.$$" "$root/$file" || fail "$root/$file could not be replaced: the installation is not complete."
done < "$work/files"
: > "$made"
