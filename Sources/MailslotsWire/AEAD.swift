// AES-256-GCM in place, for one key and many datagrams.
//
// The cipher is swift-crypto's, which is BoringSSL. Its Swift interface takes and returns `Data` and makes the cipher ready for the key
// anew each time, so a datagram of 1416 bytes costs it 2.4 µs where the cipher itself needs 0.2 µs. So the calls below are made on
// BoringSSL's own interface, which swift-crypto brings along as the module that its Swift interface is made of. It promises nothing about
// that module; where it is not to be had by this name, its Swift interface is used, with the same bytes as result.
import Crypto

#if canImport(CCryptoBoringSSLShims)
    import CCryptoBoringSSL
    import CCryptoBoringSSLShims
#else
    import FoundationEssentials
#endif

/// A key, ready for use. Any number of threads may use it, for it does not change.
@safe
final class AEADKey: Sendable {
    #if canImport(CCryptoBoringSSLShims)
        // Sound: BoringSSL takes it as constant when it seals and opens, and nobody else has it.
        private nonisolated(unsafe) let context: UnsafeMutablePointer<EVP_AEAD_CTX>

        /// Of 32 bytes, else this traps.
        init(_ key: SymmetricKey) {
            // Sound: the key is copied. Its bytes are wiped when the context is freed.
            unsafe context = unsafe key.withUnsafeBytes { bytes in
                let new = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_new(
                    CCryptoBoringSSL_EVP_aead_aes_256_gcm(), bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count,
                    DatagramFormat.tagBytes)
                guard let new = unsafe new else { preconditionFailure("AES-256-GCM refuses a key of \(bytes.count) bytes.") }
                return unsafe new
            }
        }

        deinit { unsafe CCryptoBoringSSL_EVP_AEAD_CTX_free(context) }
    #else
        private let key: SymmetricKey

        /// Of 32 bytes, else this traps.
        init(_ key: SymmetricKey) {
            precondition(key.bitCount == 256, "A key has 32 bytes.")
            self.key = key
        }
    #endif

    /// Encrypts `text` where it is, and writes the tag, 16 bytes. The nonce has 12.
    func seal(
        _ text: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer,
        authenticating data: UnsafeRawBufferPointer
    ) {
        #if canImport(CCryptoBoringSSLShims)
            var tagBytes = 0
            // Sound: all ranges are as long as is said, and in place is allowed.
            let isSealed = unsafe CCryptoBoringSSLShims_EVP_AEAD_CTX_seal_scatter(
                context, text.baseAddress, tag.baseAddress, &tagBytes, tag.count, nonce.baseAddress, nonce.count,
                text.baseAddress, text.count, nil, 0, data.baseAddress, data.count)
            precondition(isSealed == 1 && tagBytes == DatagramFormat.tagBytes, "AES-256-GCM refuses to seal.")
        #else
            do {
                let box = try unsafe AES.GCM.seal(
                    UnsafeRawBufferPointer(text), using: key, nonce: AES.GCM.Nonce(data: nonce),
                    authenticating: Data(data))
                unsafe text.copyBytes(from: box.ciphertext)
                unsafe tag.copyBytes(from: box.tag)
            } catch {
                preconditionFailure("AES-256-GCM refuses to seal: \(error)")
            }
        #endif
    }

    /// Decrypts `sealed` into `text`, as long as it is. False: the tag is wrong, and what is in `text` must not be used.
    func open(
        _ sealed: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        authenticating data: UnsafeRawBufferPointer,
        into text: UnsafeMutableRawBufferPointer
    ) -> Bool {
        #if canImport(CCryptoBoringSSLShims)
            // Sound: all ranges are as long as is said.
            return unsafe CCryptoBoringSSLShims_EVP_AEAD_CTX_open_gather(
                context, text.baseAddress, nonce.baseAddress, nonce.count, sealed.baseAddress, sealed.count, tag.baseAddress,
                tag.count, data.baseAddress, data.count) == 1
        #else
            let opened = try? unsafe AES.GCM.open(
                AES.GCM.SealedBox(nonce: AES.GCM.Nonce(data: nonce), ciphertext: sealed, tag: tag), using: key,
                authenticating: Data(data))
            guard let opened else { return false }
            unsafe text.copyBytes(from: opened)
            return true
        #endif
    }
}
