// Who may open a mailslot.
//
// Linux has no separate right to write only: who may write a mailslot may also read and damage it. No attributes, or no descriptor:
// mode 0600, the same user. A descriptor with a NULL DACL: mode 0666, everyone. A DACL with entries: what a mode can say of it.
#ifndef MAILSLOTS_WIN32_SECURITY_H
#define MAILSLOTS_WIN32_SECURITY_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _ACL {
    BYTE AclRevision;
    BYTE Sbz1;
    WORD AclSize;
    WORD AceCount;
    WORD Sbz2;
} ACL, *PACL;

typedef struct _ACE_HEADER {
    BYTE AceType;
    BYTE AceFlags;
    WORD AceSize;
} ACE_HEADER;

typedef struct _ACCESS_ALLOWED_ACE {
    ACE_HEADER Header;
    DWORD Mask;
    /// The first 32 bits of a SID.
    DWORD SidStart;
} ACCESS_ALLOWED_ACE;

typedef struct _SID_IDENTIFIER_AUTHORITY {
    BYTE Value[6];
} SID_IDENTIFIER_AUTHORITY, *PSID_IDENTIFIER_AUTHORITY;

typedef struct _SID {
    BYTE Revision;
    BYTE SubAuthorityCount;
    SID_IDENTIFIER_AUTHORITY IdentifierAuthority;
    /// As many as SubAuthorityCount says.
    DWORD SubAuthority[1];
} SID;

typedef PVOID PSID;
typedef PVOID PSECURITY_DESCRIPTOR;
typedef WORD SECURITY_DESCRIPTOR_CONTROL;

typedef struct _SECURITY_DESCRIPTOR {
    BYTE Revision;
    BYTE Sbz1;
    SECURITY_DESCRIPTOR_CONTROL Control;
    PSID Owner;
    PSID Group;
    PACL Sacl;
    PACL Dacl;
} SECURITY_DESCRIPTOR;

typedef struct _SECURITY_ATTRIBUTES {
    DWORD nLength;
    LPVOID lpSecurityDescriptor;
    BOOL bInheritHandle;
} SECURITY_ATTRIBUTES, *PSECURITY_ATTRIBUTES, *LPSECURITY_ATTRIBUTES;

#define SECURITY_DESCRIPTOR_REVISION 1
#define SECURITY_DESCRIPTOR_MIN_LENGTH (sizeof(SECURITY_DESCRIPTOR))
#define SE_DACL_PRESENT 0x0004
#define SE_DACL_DEFAULTED 0x0008

BOOL WINAPI InitializeSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor, DWORD dwRevision);
BOOL WINAPI SetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, BOOL bDaclPresent, PACL pDacl, BOOL bDaclDefaulted);
BOOL WINAPI IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor);

#define ACL_REVISION 2
#define ACCESS_ALLOWED_ACE_TYPE 0
#define SID_REVISION 1
#define SID_MAX_SUB_AUTHORITIES 15
#define DACL_SECURITY_INFORMATION 0x00000004u
typedef enum _SE_OBJECT_TYPE { SE_UNKNOWN_OBJECT_TYPE, SE_FILE_OBJECT, SE_SERVICE, SE_PRINTER, SE_REGISTRY_KEY } SE_OBJECT_TYPE;
typedef DWORD SECURITY_INFORMATION;

BOOL WINAPI InitializeAcl(PACL pAcl, DWORD nAclLength, DWORD dwAclRevision);
/// Of whom a mailslot may be told is what CreateMailslot and SetNamedSecurityInfo decide: of Everyone (S-1-1-0), Authenticated Users
/// (S-1-5-11) and Users (S-1-5-32-545), who may write with mode 0666, and of those whom any mode lets in: the owner (S-1-3-0, S-1-3-4),
/// SYSTEM (S-1-5-18) and Administrators (S-1-5-32-544), who are root. Anybody else: ERROR_NOT_SUPPORTED, and nothing is created or changed.
BOOL WINAPI AddAccessAllowedAce(PACL pAcl, DWORD dwAceRevision, DWORD AccessMask, PSID pSid);
BOOL WINAPI IsValidSid(PSID pSid);
DWORD WINAPI GetLengthSid(PSID pSid);
/// "S-1-1-0", or WD, AU, BU, BA, SY, CO, OW. For LocalFree.
BOOL WINAPI ConvertStringSidToSidA(LPCSTR StringSid, PSID *Sid);
BOOL WINAPI ConvertStringSidToSidW(LPCWSTR StringSid, PSID *Sid);
/// The DACL of a mailslot's file, for SE_FILE_OBJECT with DACL_SECURITY_INFORMATION alone. 0, or an error.
DWORD WINAPI SetNamedSecurityInfoA(LPSTR pObjectName, SE_OBJECT_TYPE ObjectType, SECURITY_INFORMATION SecurityInfo, PSID psidOwner,
    PSID psidGroup, PACL pDacl, PACL pSacl);
DWORD WINAPI SetNamedSecurityInfoW(LPWSTR pObjectName, SE_OBJECT_TYPE ObjectType, SECURITY_INFORMATION SecurityInfo, PSID psidOwner,
    PSID psidGroup, PACL pDacl, PACL pSacl);

#ifdef UNICODE
#define ConvertStringSidToSid ConvertStringSidToSidW
#define SetNamedSecurityInfo SetNamedSecurityInfoW
#else
#define ConvertStringSidToSid ConvertStringSidToSidA
#define SetNamedSecurityInfo SetNamedSecurityInfoA
#endif

#ifdef __cplusplus
}
#endif

#endif
