// Security descriptors, as far as they decide a mailslot's mode.

#include "win.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

BOOL WINAPI InitializeSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor, DWORD dwRevision)
{
    if (dwRevision != SECURITY_DESCRIPTOR_REVISION) return mslot__win_fail(ERROR_UNKNOWN_REVISION);
    if (pSecurityDescriptor == NULL) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    SECURITY_DESCRIPTOR *descriptor = pSecurityDescriptor;
    *descriptor = (SECURITY_DESCRIPTOR){.Revision = SECURITY_DESCRIPTOR_REVISION};
    return TRUE;
}

BOOL WINAPI IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor)
{
    const SECURITY_DESCRIPTOR *descriptor = pSecurityDescriptor;
    return descriptor != NULL && descriptor->Revision == SECURITY_DESCRIPTOR_REVISION;
}

BOOL WINAPI SetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, BOOL bDaclPresent, PACL pDacl, BOOL bDaclDefaulted)
{
    if (!IsValidSecurityDescriptor(pSecurityDescriptor)) return mslot__win_fail(ERROR_INVALID_SECURITY_DESCR);
    SECURITY_DESCRIPTOR *descriptor = pSecurityDescriptor;
    descriptor->Control &= (WORD) ~(SE_DACL_PRESENT | SE_DACL_DEFAULTED);
    if (bDaclPresent) descriptor->Control |= SE_DACL_PRESENT;
    if (bDaclPresent && bDaclDefaulted) descriptor->Control |= SE_DACL_DEFAULTED;
    descriptor->Dacl = bDaclPresent ? pDacl : NULL;
    return TRUE;
}

// MARK: who

BOOL WINAPI IsValidSid(PSID pSid)
{
    const SID *sid = pSid;
    return sid != NULL && sid->Revision == SID_REVISION && sid->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES;
}

DWORD WINAPI GetLengthSid(PSID pSid)
{
    return (DWORD)(offsetof(SID, SubAuthority) + ((const SID *)pSid)->SubAuthorityCount * sizeof(DWORD));
}

BOOL WINAPI ConvertStringSidToSidA(LPCSTR StringSid, PSID *Sid)
{
    static const char *const aliases[][2] = {{"WD", "S-1-1-0"}, {"AU", "S-1-5-11"}, {"BU", "S-1-5-32-545"}, {"BA", "S-1-5-32-544"},
        {"SY", "S-1-5-18"}, {"CO", "S-1-3-0"}, {"OW", "S-1-3-4"}};
    if (StringSid == NULL || Sid == NULL) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    const char *text = StringSid;
    for (size_t i = 0; i < ARRAYSIZE(aliases); i++)
        if (strcasecmp(StringSid, aliases[i][0]) == 0) text = aliases[i][1];
    unsigned long long numbers[SID_MAX_SUB_AUTHORITIES + 1];
    size_t count = 0;
    bool is_sid = strncasecmp(text, "S-1-", 4) == 0;
    for (text += is_sid ? 3 : 0; is_sid && *text != 0; count++) {
        char *end = NULL;
        is_sid = *text == '-' && text[1] >= '0' && text[1] <= '9' && count < ARRAYSIZE(numbers);
        if (is_sid) numbers[count] = strtoull(text + 1, &end, 10);
        is_sid = is_sid && numbers[count] <= (count == 0 ? 0xffffffffffffULL : UINT32_MAX);
        text = end;
    }
    if (!is_sid || count < 2) return mslot__win_fail(ERROR_INVALID_SID);
    SID *made = LocalAlloc(LPTR, offsetof(SID, SubAuthority) + count * sizeof(DWORD));
    if (made == NULL) return FALSE;
    made->Revision = SID_REVISION;
    made->SubAuthorityCount = (BYTE)(count - 1);
    for (size_t i = 0; i < 6; i++) made->IdentifierAuthority.Value[i] = (BYTE)(numbers[0] >> (40 - 8 * i));
    for (size_t i = 1; i < count; i++) made->SubAuthority[i - 1] = (DWORD)numbers[i];
    *Sid = made;
    return TRUE;
}

BOOL WINAPI ConvertStringSidToSidW(LPCWSTR StringSid, PSID *Sid)
{
    char *text = StringSid != NULL ? mslot__win_narrow_copy(StringSid) : NULL;
    BOOL done = ConvertStringSidToSidA(text, Sid);
    free(text);
    return done;
}

// MARK: lists

BOOL WINAPI InitializeAcl(PACL pAcl, DWORD nAclLength, DWORD dwAclRevision)
{
    if (pAcl == NULL || dwAclRevision != ACL_REVISION || nAclLength > UINT16_MAX) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    if (nAclLength < sizeof(ACL)) return mslot__win_fail(ERROR_INSUFFICIENT_BUFFER);
    *pAcl = (ACL){.AclRevision = ACL_REVISION, .AclSize = (WORD)nAclLength};
    return TRUE;
}

/// The entry at `offset`; NULL: none that is whole can be there.
static ACCESS_ALLOWED_ACE *entry_at(PACL list, size_t offset)
{
    ACCESS_ALLOWED_ACE *entry = (ACCESS_ALLOWED_ACE *)((char *)list + offset);
    if (offset + sizeof *entry > list->AclSize || offset + entry->Header.AceSize > list->AclSize) return NULL;
    size_t room = entry->Header.AceSize - offsetof(ACCESS_ALLOWED_ACE, SidStart);
    bool has_sid = entry->Header.AceSize >= sizeof *entry + sizeof(DWORD) && IsValidSid(&entry->SidStart);
    return has_sid && GetLengthSid(&entry->SidStart) <= room ? entry : NULL;
}

/// Where the entries end; 0: they are no list.
static size_t end_of(PACL list)
{
    if (list == NULL || list->AclRevision != ACL_REVISION || list->AclSize < sizeof(ACL)) return 0;
    size_t offset = sizeof(ACL);
    for (WORD i = 0; i < list->AceCount; i++) {
        const ACCESS_ALLOWED_ACE *entry = entry_at(list, offset);
        if (entry == NULL) return 0;
        offset += entry->Header.AceSize;
    }
    return offset;
}

BOOL WINAPI AddAccessAllowedAce(PACL pAcl, DWORD dwAceRevision, DWORD AccessMask, PSID pSid)
{
    if (dwAceRevision != ACL_REVISION) return mslot__win_fail(ERROR_UNKNOWN_REVISION);
    if (!IsValidSid(pSid)) return mslot__win_fail(ERROR_INVALID_SID);
    size_t end = end_of(pAcl);
    if (end == 0) return mslot__win_fail(ERROR_INVALID_ACL);
    size_t bytes = offsetof(ACCESS_ALLOWED_ACE, SidStart) + GetLengthSid(pSid);
    if (end + bytes > pAcl->AclSize) return mslot__win_fail(ERROR_ALLOTTED_SPACE_EXCEEDED);
    ACCESS_ALLOWED_ACE *entry = (ACCESS_ALLOWED_ACE *)((char *)pAcl + end);
    entry->Header = (ACE_HEADER){.AceType = ACCESS_ALLOWED_ACE_TYPE, .AceSize = (WORD)bytes};
    entry->Mask = AccessMask;
    memcpy(&entry->SidStart, pSid, GetLengthSid(pSid));
    pAcl->AceCount++;
    return TRUE;
}

// MARK: modes

static bool is_one_of(PSID sid, const char *const *texts, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        PSID other = NULL;
        if (!ConvertStringSidToSidA(texts[i], &other)) continue;
        found = GetLengthSid(sid) == GetLengthSid(other) && memcmp(sid, other, GetLengthSid(sid)) == 0;
        LocalFree(other);
    }
    return found;
}

/// 0 and the mode that says what the list says, or the error that there is none.
static DWORD mode_of_list(PACL list, uint32_t *mode)
{
    static const char *const everyone[] = {"WD", "AU", "BU"}, *const owners[] = {"CO", "OW", "SY", "BA"};
    *mode = 0600;
    if (list == NULL) {
        *mode = 0666;
        return 0;
    }
    if (end_of(list) == 0) return ERROR_INVALID_ACL;
    size_t offset = sizeof(ACL);
    for (WORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry = entry_at(list, offset);
        offset += entry->Header.AceSize;
        if (entry->Header.AceType != ACCESS_ALLOWED_ACE_TYPE) return ERROR_NOT_SUPPORTED;
        if (is_one_of(&entry->SidStart, owners, ARRAYSIZE(owners))) continue;
        if (!is_one_of(&entry->SidStart, everyone, ARRAYSIZE(everyone))) return ERROR_NOT_SUPPORTED;
        // Who may only read gets nothing by it: messages are read through the creator's handle.
        if (mslot__win_may_write(entry->Mask)) *mode = 0666;
    }
    return 0;
}

DWORD mslot__win_mode_of(const SECURITY_ATTRIBUTES *attributes, uint32_t *mode)
{
    *mode = 0600;
    if (attributes == NULL || attributes->lpSecurityDescriptor == NULL) return 0;
    if (!IsValidSecurityDescriptor(attributes->lpSecurityDescriptor)) return ERROR_INVALID_SECURITY_DESCR;
    const SECURITY_DESCRIPTOR *descriptor = attributes->lpSecurityDescriptor;
    return (descriptor->Control & SE_DACL_PRESENT) != 0 ? mode_of_list(descriptor->Dacl, mode) : 0;
}

DWORD WINAPI SetNamedSecurityInfoA(
    LPSTR pObjectName, SE_OBJECT_TYPE ObjectType, SECURITY_INFORMATION SecurityInfo, PSID psidOwner, PSID psidGroup, PACL pDacl, PACL pSacl)
{
    (void)psidOwner, (void)psidGroup, (void)pSacl; // not asked for
    if (ObjectType != SE_FILE_OBJECT || SecurityInfo != DACL_SECURITY_INFORMATION) return ERROR_NOT_SUPPORTED;
    mslot_win_name name = mslot__win_name_parse(pObjectName);
    if (name.kind != MSLOT_WIN_LOCAL) return ERROR_FILE_NOT_FOUND;
    uint32_t mode;
    DWORD error = mode_of_list(pDacl, &mode);
    if (error != 0) return error;
    char path[PATH_MAX];
    if (mslot_path(name.text, path, sizeof path).outcome != MSLOT_DONE) return ERROR_FILE_NOT_FOUND;
    // Others may cut the file short: an error then, not the end of this process.
    if (mode != 0600) mslot_guard_install();
    if (chmod(path, mode) == 0) return 0;
    return errno == ENOENT ? ERROR_FILE_NOT_FOUND : ERROR_ACCESS_DENIED;
}

DWORD WINAPI SetNamedSecurityInfoW(LPWSTR pObjectName, SE_OBJECT_TYPE ObjectType, SECURITY_INFORMATION SecurityInfo, PSID psidOwner,
    PSID psidGroup, PACL pDacl, PACL pSacl)
{
    char name[MSLOT_WIN_NAME_BYTES_MAX];
    if (pObjectName == NULL || !mslot__win_name_narrow(pObjectName, name)) return ERROR_FILE_NOT_FOUND;
    return SetNamedSecurityInfoA(name, ObjectType, SecurityInfo, psidOwner, psidGroup, pDacl, pSacl);
}
