#ifndef MIMI_SRC_STATE_DOCUMENT_H_
#define MIMI_SRC_STATE_DOCUMENT_H_

// The place where the configuration looks for it.

#include "src/base/document.h"

#endif  // MIMI_SRC_STATE_DOCUMENT_H_
