// The keyboard, a key at a time. Where standard input is no terminal, a byte at a time.
#ifndef MAILSLOTS_CONIO_H
#define MAILSLOTS_CONIO_H

#ifdef __cplusplus
extern "C" {
#endif

/// Whether a key waits to be read, or input has ended.
int _kbhit(void);
/// The next key, without echo; EOF at the end of input.
int _getch(void);
int _getche(void);
int _putch(int character);

#define kbhit _kbhit
#define getch _getch
#define getche _getche
#define putch _putch

#ifdef __cplusplus
}
#endif

#endif
