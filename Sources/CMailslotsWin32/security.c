// Security descriptors, as far as they decide a mailslot's mode.

#include "win.h"

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
