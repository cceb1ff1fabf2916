#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

// What OpenSSL offers as macros with casts, which Swift cannot see.

/// Both ends: TLS 1.2 renegotiation is refused, so is compression.
static const uint64_t mesh_ssl_options =
    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;

static const unsigned long mesh_rfc2253 = XN_FLAG_RFC2253;
/// Clears what the last call left, before the next.
static inline void mesh_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void mesh_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }

static inline int mesh_ssl_set_host_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline int mesh_ssl_set_groups(SSL_CTX *context, const char *list) {
  return (int)SSL_CTX_set1_groups_list(context, list);
}
static inline int mesh_ssl_add_chain(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
static inline long mesh_ssl_set_versions(SSL_CTX *context, int least, int most) {
  return SSL_CTX_set_min_proto_version(context, least) && SSL_CTX_set_max_proto_version(context, most);
}
static inline void mesh_ssl_set_modes(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
}
static inline void mesh_ssl_set_cache_mode(SSL_CTX *context, long mode) { SSL_CTX_set_session_cache_mode(context, mode); }
static inline void mesh_ssl_on_server_name(SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
  SSL_CTX_set_tlsext_servername_callback(context, callback);
}

/// One subject alternative name: its kind (GEN_DNS, GEN_URI, GEN_IPADD, else 0) and its bytes, lent by `names`.
static inline int mesh_general_name(const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *length) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
  const ASN1_STRING *string;
  switch (name->type) {
  case GEN_DNS: case GEN_URI: case GEN_EMAIL: string = name->d.ia5; break;
  case GEN_IPADD: string = name->d.iPAddress; break;
  default: return 0;
  }
  *bytes = ASN1_STRING_get0_data(string);
  *length = ASN1_STRING_length(string);
  return name->type;
}

/// Seconds since the epoch.
static inline int64_t mesh_asn1_time(const ASN1_TIME *time) {
  struct tm parts;
  if (!ASN1_TIME_to_tm(time, &parts)) return 0;
  return (int64_t)timegm(&parts);
}

/// Sets up HMAC-SHA-256.
static inline int mesh_mac_set_key(EVP_MAC_CTX *mac, const uint8_t *key, size_t length) {
  OSSL_PARAM parameters[3] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, length),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters);
}

/// Empties the two keys of a key exchange that is over; the SSL keeps the empty objects.
static inline void mesh_ssl_drop_exchange_keys(SSL *ssl) {
  EVP_PKEY *key = NULL;
  if (SSL_get_peer_tmp_key(ssl, &key)) {
    EVP_PKEY_set_type(key, EVP_PKEY_get_base_id(key));
    EVP_PKEY_free(key);
  }
  key = NULL;
  if (SSL_get_tmp_key(ssl, &key)) {
    EVP_PKEY_set_type(key, EVP_PKEY_get_base_id(key));
    EVP_PKEY_free(key);
  }
}
