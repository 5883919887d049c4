package ignores

import "crypto/tls"

var _ = &tls.Config{InsecureSkipVerify: true} //tlsvet:ignore trap1 this pins the key

//tlsvet:ignore trap1,trap14 this must see what is bad
var _ = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}

//tlsvet:ignore trap14 another trap
var _ = &tls.Config{InsecureSkipVerify: true} // want `trap1: `

/* want `silences nothing` */                 //tlsvet:ignore trap1
var _ = &tls.Config{InsecureSkipVerify: true} // want `trap1: `

/* want `silences nothing` */                 //tlsvet:ignore all of this
var _ = &tls.Config{InsecureSkipVerify: true} // want `trap1: `

/* want `silences nothing` */                 //tlsvet:ignored trap1 spelled wrong
var _ = &tls.Config{InsecureSkipVerify: true} // want `trap1: `
