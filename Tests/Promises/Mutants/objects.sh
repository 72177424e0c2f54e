# Compiling what differs: most mutants change one file, and what does not include it was compiled before. Sourced.
#
# package   the root of the package
# core      the copy of Sources/CMailslots that is compiled
# changed   its files that are not as they are in the package
# kept      a folder where objects of unchanged files are kept
# made      a folder for all others

# objects_of KIND COMPILER FLAG... -- FILE...: leaves in `objects` what the files are compiled to. KIND is a folder of `kept`, and stands
# for the compiler and its flags. Files of the core are named as those of the package.
objects_of() {
    local kind=$1 command=() file name
    shift
    while [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    shift
    objects=()
    mkdir -p "$kept/$kind" "$made/$kind"
    for file; do
        name=${file#"$package/"} name=${name//\//-}
        [ -e "$kept/$kind/$name.o" ] || keep || return 2
        if includes_what_is_changed; then
            "${command[@]}" "-I$core/include" -c "${file/"$package/Sources/CMailslots"/"$core"}" -o "$made/$kind/$name.o" || return 2
            objects+=("$made/$kind/$name.o")
        else
            objects+=("$kept/$kind/$name.o")
        fi
    done
}

# Several mutants are tried at a time: complete, or not there.
keep() {
    local new=$made/$kind/$name
    "${command[@]}" "-I$package/Sources/CMailslots/include" -MMD -MF "$new.d" -c "$file" -o "$new.o" \
        && mv "$new.d" "$kept/$kind/$name.d" && mv "$new.o" "$kept/$kind/$name.o"
}

includes_what_is_changed() {
    [ ${#changed[@]} -gt 0 ] && grep -qF "${changed[@]/#/-eSources/CMailslots/}" "$kept/$kind/$name.d"
}
