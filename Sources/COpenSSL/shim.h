#pragma once
#include <openssl/ssl.h>
#include <openssl/crypto.h>
