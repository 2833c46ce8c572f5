# Passkeys: signing in, enrolment, signing commands.
passkey-sign-in = Sign in with a passkey
passkey-hint = Use your fingerprint, face or screen lock. Kẻng never gets to see them.
passkey-missing = This browser cannot use passkeys. Update it, or use another device.
passkey-elsewhere = Passkeys work at { $origin } only.
passkey-cancelled = Not done: you closed it, or this device does not have the passkey. Try again.
passkey-offline = The server cannot be reached. Try again.
token-instead = With an access token (on this machine only)
enrol = Enrol a passkey
enrol-hint = This link works once. Your device asks twice: to make the passkey, and to try it.
enrol-for = A passkey for { $officer }, { $role }.
enrol-start = Make a passkey on this device
enrol-prove = Try the new passkey
enrol-done = Done. From now on you sign in with this passkey.
enrol-no-link = This page needs an enrolment link. Ask your administrator.
needs-script = This page needs JavaScript.
sign-cancelled = Not signed, not sent. Press again when you are ready.
